// The job in spider-rs: SEED OUTPUT PREFIX, and the folder in which npm has put it.
// With @FILE as the seed there is one in each line of a file; so many hosts are crawled at once as the last argument says.
import { createWriteStream, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const [seed, output, prefix, folder, atOnce] = process.argv.slice(2)
const { Website } = createRequire(folder + '/')('@spider-rs/spider-rs')
const out = createWriteStream(output)

async function crawl(seed, prefix) {
  const below = '^' + prefix.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const website = new Website(seed).withReturnPageLinks(true).withWhitelistUrl([below]).build()
  let pages = 0
  await website.crawl((_error, page) => {
    pages++
    // `pageTitle` parses the page once more: a fifth of the time of a large one.
    const title = /<title>([^<]*)/.exec(page.content)?.[1]
    out.write(JSON.stringify({ url: page.url, status: page.statusCode, title, links: page.links }) + '\n')
  })
  // The last events come after the crawl has resolved.
  for (let waited = 0; pages < website.size && waited < 2000; waited += 5) await new Promise((done) => setTimeout(done, 5))
}

if (seed.startsWith('@')) {
  const left = readFileSync(seed.slice(1), 'utf8').split('\n').filter(Boolean)
  const worker = async () => {
    for (let next = left.shift(); next; next = left.shift()) await crawl(next, next)
  }
  await Promise.all(Array.from({ length: Number(atOnce) }, worker))
} else {
  await crawl(seed, prefix)
}
// Its threads would keep the process alive.
out.end(() => process.exit(0))
