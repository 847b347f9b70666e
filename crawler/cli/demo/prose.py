"""Text that reads like text, the same every time: the random numbers are seeded by a page's address."""

import random

from crawler.cli.demo.hosts import DemoHost

__all__ = ["PEOPLE", "TRANSLATIONS", "Prose"]

_QUALITIES = (
    "old",
    "new",
    "quiet",
    "famous",
    "small",
    "unexpected",
    "careful",
    "well-kept",
    "northern",
    "local",
    "public",
)
PEOPLE = (
    "Maria Lund",
    "Tom Okafor",
    "Ines Duarte",
    "Jonas Weber",
    "Aiko Mori",
    "Ruth Ellis",
    "Pavel Novak",
    "Lena Fox",
)
_PLACES = (
    "by the river",
    "on the hill",
    "behind the station",
    "in the old town",
    "near the coast",
    "across the square",
)
_TIMES = ("last spring", "in October", "two years ago", "on a wet Tuesday", "before the war", "this summer", "at dawn")

_SENTENCES = (
    "The {quality} {thing} {place} was opened {time} and has not closed since.",
    "{person} says that a {thing} needs more patience than money.",
    "Nobody expected the {thing} to be ready {time}, least of all {person}.",
    "There are {number} ways to look at a {thing}, and most of them begin with a walk.",
    "A {quality} {thing} is worth more than {number} {quality2} ones.",
    "Visitors who ask for the {thing} are sent to {person}, who keeps the {thing2} as well.",
    "The plan mentions the {thing} {number} times, but never says who will pay for it.",
    "Between the {thing} and the {thing2} lies a path of about {number} metres.",
    "It was {person} who found the {thing} {place}, under a heap of leaves.",
    "Because the {thing} is {quality}, it is shown only on days without rain.",
    "We measured the {thing} {time} and again this week; the difference was {number} millimetres.",
    "Some people prefer the {thing2}; the {thing} is for those who have the whole afternoon.",
    "If you come {time}, bring a coat: the {thing} {place} has no roof.",
    "&ldquo;A {thing} is never finished,&rdquo; {person} told us, &ldquo;it is only left alone.&rdquo;",
    "The committee counted {number} letters about the {thing}, nearly all of them kind.",
    "In the {quality} days of the {thing}, nobody thought about the {thing2} at all.",
    "Today the {thing} is looked after by {number} volunteers and one {quality} dog.",
    "Repairs to the {thing} began {time}; the {thing2} will follow when the weather allows.",
    "What makes the {thing} {quality} is not its age but the way that people use it.",
    "{person} wrote {number} pages about the {thing} and threw half of them away.",
    "The {thing2} stands {place}, a little to the left of the {thing}.",
    "Ask three neighbours about the {thing} and you will hear {number} different stories.",
)
_TITLES = (
    "The {quality} {thing}",
    "How a {thing} is made",
    "{number} questions about the {thing}",
    "A day with the {thing} {place}",
    "Why the {thing} matters",
    "What became of the {quality} {thing}?",
    "{person} and the {thing}",
    "From {thing} to {thing2}",
)

TRANSLATIONS: dict[str, tuple[str, ...]] = {
    "de": (
        "Die Bäckerei öffnet um sechs Uhr, aber der Ofen brennt schon seit Mitternacht.",
        "Für ein gutes Brot braucht man Mehl, Wasser, Salz und sehr viel Geduld.",
        "Am Samstag gibt es frische Brötchen, süße Schnecken und den großen Pflaumenkuchen.",
        "Wer später kommt, findet meistens noch ein Stück Käsekuchen für 3,50 €.",
        "Unsere Großmutter schrieb alle Rezepte in ein kleines, blaues Heft.",
    ),
    "fr": (
        "La boulangerie ouvre à six heures, mais le four brûle déjà depuis minuit.",
        "Pour faire un bon pain, il faut de la farine, de l'eau, du sel et beaucoup de patience.",
        "En été, nous préparons des gâteaux légers où le citron remplace la crème.",
        "Ceux qui arrivent trop tard trouvent encore une brioche à 2 € près de la caisse.",
        "Notre grand-mère gardait ses recettes dans un cahier bleu, caché derrière la fenêtre.",
    ),
    "es": (
        "La panadería abre a las seis, pero el horno está encendido desde la medianoche.",
        "Para un buen pan hacen falta harina, agua, sal y muchísima paciencia.",
        "¿Quién no recuerda el olor del pan recién hecho en la mañana?",
        "El señor Núñez viene cada sábado y se lleva tres barras y una piña.",
        "Nuestra abuela escribía las recetas en un pequeño cuaderno azul.",
    ),
    "ja": (
        "パン屋は朝六時に開きますが、窯は真夜中から燃えています。",
        "おいしいパンには小麦粉と水と塩、そして長い時間が必要です。",
        "土曜日には焼きたてのロールパンと大きなケーキが並びます。",
        "遅く来た人にも、たいてい小さなお菓子が残っています。",
        "祖母はすべての作り方を青いノートに書いていました。",
    ),
    "pl": (
        "Piekarnia otwiera się o szóstej, ale piec płonie już od północy.",
        "Do dobrego chleba potrzeba mąki, wody, soli i mnóstwa cierpliwości.",
        "W sobotę są świeże bułki, słodkie ślimaki i duże ciasto ze śliwkami.",
        "Kto przyjdzie później, zwykle znajdzie jeszcze kawałek sernika.",
        "Nasza babcia zapisywała wszystkie przepisy w małym niebieskim zeszycie.",
    ),
}
"""Sentences of the pages that are not in English, by language."""


class Prose:
    """Sentences, paragraphs and titles about one host's things.

    Its only state is a pool of sentences, made on first use and never changed after; equal hosts give equal text.
    """

    def __init__(self, host: DemoHost) -> None:
        self._host = host
        self._pool: list[str] = []

    def title(self, key: str) -> str:
        """Give a title for the page called `key`."""
        title = self._fill(random.Random(f"{self._host.name} title {key}"), _TITLES)
        return title[0].upper() + title[1:]

    def author(self, key: str) -> str:
        """Name the person who wrote the page called `key`."""
        return random.Random(f"{self._host.name} author {key}").choice(PEOPLE)

    def paragraphs(self, key: str, language: str, size: int) -> list[str]:
        """Write paragraphs of about `size` characters in total (at least one paragraph); `key` picks the words."""
        rng = random.Random(f"{self._host.name} text {key}")
        pool = TRANSLATIONS.get(language) or self._sentences()
        paragraphs: list[str] = []
        written = 0
        while written < size or not paragraphs:
            paragraph = " ".join(rng.choices(pool, k=rng.randrange(3, 8)))
            paragraphs.append(paragraph)
            written += len(paragraph)
        return paragraphs

    def _sentences(self) -> list[str]:
        if not self._pool:
            rng = random.Random(f"{self._host.name} sentences")
            self._pool = [self._fill(rng, _SENTENCES) for _ in range(600)]
        return self._pool

    def _fill(self, rng: random.Random, templates: tuple[str, ...]) -> str:
        thing, thing2 = rng.sample(self._host.things, 2)
        quality, quality2 = rng.sample(_QUALITIES, 2)
        return rng.choice(templates).format(
            thing=thing,
            thing2=thing2,
            quality=quality,
            quality2=quality2,
            person=rng.choice(PEOPLE),
            place=rng.choice(_PLACES),
            time=rng.choice(_TIMES),
            number=rng.randrange(3, 90),
        )
