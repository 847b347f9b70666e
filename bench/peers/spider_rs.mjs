// The job in spider-rs: SEED OUTPUT PREFIX, and the folder in which npm has put it.
import { createWriteStream } from 'node:fs'
import { createRequire } from 'node:module'

const [seed, output, prefix, folder] = process.argv.slice(2)
const { Website, pageTitle } = createRequire(folder + '/')('@spider-rs/spider-rs')
const below = '^' + prefix.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
const website = new Website(seed).withReturnPageLinks(true).withWhitelistUrl([below]).build()
const out = createWriteStream(output)
let pages = 0
await website.crawl((_error, page) => {
  pages++
  out.write(JSON.stringify({ url: page.url, status: page.statusCode, title: pageTitle(page), links: page.links }) + '\n')
})
// The last events come after the crawl has resolved, and its threads would keep the process alive.
for (let waited = 0; pages < website.size && waited < 2000; waited += 5) await new Promise((done) => setTimeout(done, 5))
out.end(() => process.exit(0))
