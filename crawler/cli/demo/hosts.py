"""The twenty hosts of the demo site: who they pretend to be and how large they are."""

from msgspec import Struct

__all__ = ["HOSTS", "DemoHost"]


class DemoHost(Struct, frozen=True):
    """One host of the demo site.

    `things` are the nouns that its prose and titles are made of; `articles` counts articles in each section;
    `home` is the path of its home page (two hosts answer `/` with a redirect).
    """

    number: int
    title: str
    sections: tuple[str, ...]
    articles: int
    things: tuple[str, ...]
    home: str = "/"

    @property
    def name(self) -> str:
        """The name in URLs. RFC 6761 §6.3 keeps every name below `localhost` on loopback."""
        return f"site{self.number:02d}.localhost"


HOSTS: tuple[DemoHost, ...] = (
    DemoHost(
        1,
        "The Harbour Chronicle",
        ("news", "harbour", "culture", "sport", "opinion"),
        24,
        ("harbour", "ferry", "lighthouse", "fish market", "tide gauge", "pilot boat"),
    ),
    DemoHost(
        2,
        "Northfield Town Council",
        ("services", "meetings", "planning", "parks"),
        17,
        ("bus lane", "town hall", "playground", "budget", "footbridge", "market square"),
    ),
    DemoHost(
        3,
        "Tidewater Weather Office",
        ("forecasts", "storms", "records", "science"),
        17,
        ("storm front", "rain gauge", "sea breeze", "barometer", "weather balloon", "fog bank"),
    ),
    DemoHost(
        4,
        "Brass Lantern Theatre",
        ("plays", "people", "tickets", "backstage"),
        15,
        ("rehearsal", "costume", "orchestra", "spotlight", "prompt book", "understudy"),
    ),
    DemoHost(
        5,
        "Slow River Railway",
        ("timetables", "engines", "stations"),
        11,
        ("steam engine", "signal box", "branch line", "viaduct", "dining car", "platform"),
    ),
    DemoHost(
        6,
        "Quarry Hill Press",
        ("books", "authors-talk", "reviews", "journals"),
        17,
        ("manuscript", "footnote", "printing press", "bookbinder", "margin", "first edition"),
    ),
    DemoHost(
        7,
        "Babel Street Language School",
        ("courses", "grammar", "travel", "teachers"),
        17,
        ("verb table", "accent", "dictionary", "translation", "alphabet", "phrase book"),
    ),
    DemoHost(
        8,
        "The Paper Archive",
        ("collections", "maps", "letters", "guides"),
        17,
        ("parchment", "inventory", "reading room", "wax seal", "ledger", "photograph"),
    ),
    DemoHost(
        9,
        "Old Mill Community Centre",
        ("events", "clubs", "rooms", "volunteers"),
        17,
        ("choir", "chess club", "village fair", "kitchen", "noticeboard", "workshop"),
    ),
    DemoHost(
        10,
        "Museum of Locks and Keys",
        ("exhibits", "history", "visits", "conservation"),
        17,
        ("padlock", "iron key", "strong room", "clockmaker", "hinge", "vault door"),
    ),
    DemoHost(
        11,
        "Winding Path Hikers",
        ("trails", "huts", "gear", "reports"),
        17,
        ("ridge walk", "mountain hut", "trail marker", "rope bridge", "summit", "compass"),
    ),
    DemoHost(
        12,
        "Four Corners Bakery",
        ("bread", "cakes", "recipes", "ovens"),
        13,
        ("sourdough", "rye loaf", "wood oven", "flour mill", "plum cake", "starter"),
    ),
    DemoHost(
        13,
        "Quiet Corner Forum",
        ("introductions", "help", "projects", "off-topic"),
        17,
        ("thread", "moderator", "garden shed", "radio kit", "telescope", "model ship"),
    ),
    DemoHost(
        14,
        "Patient Gardeners",
        ("seeds",),
        8,
        ("compost", "greenhouse", "apple tree", "bee hive", "herb bed", "wheelbarrow"),
    ),
    DemoHost(
        15,
        "Frame and Map Studio",
        ("frames", "atlases", "workshop", "orders"),
        17,
        ("oak frame", "map sheet", "engraving", "gold leaf", "canvas", "survey"),
    ),
    DemoHost(
        16,
        "Long Thread Knitting",
        ("patterns", "wool", "stitches"),
        15,
        ("cable stitch", "wool skein", "spinning wheel", "scarf", "loom", "pattern sheet"),
    ),
    DemoHost(
        17,
        "Lost Pages Bookshop",
        ("shelves", "rarities", "readings", "letters"),
        17,
        ("paperback", "atlas", "bookmark", "attic", "catalogue", "reading lamp"),
    ),
    DemoHost(
        18,
        "New Entrance Gallery",
        ("exhibitions", "artists", "catalogue", "education"),
        17,
        ("sculpture", "watercolour", "studio", "portrait", "staircase", "sketchbook"),
        "/en/",
    ),
    DemoHost(
        19,
        "Lighthouse Trust",
        ("lighthouses", "keepers", "lenses", "boats"),
        17,
        ("lamp room", "fog signal", "keeper's log", "spiral stair", "reef", "supply boat"),
    ),
    DemoHost(
        20,
        "Observatory on the Move",
        ("telescopes", "nights", "comets", "papers"),
        15,
        ("dome", "comet", "mirror", "star chart", "eclipse", "night sky"),
        "/archive/",
    ),
)
"""All hosts, in the order of their numbers."""
