"""Where and when a story happens, and who helps in it."""

PLACES = (
    ("beside a silver river", "the river"),
    ("at the edge of a dark forest", "the forest"),
    ("on top of a windy hill", "the hill"),
    ("in a quiet village", "the village"),
    ("on a tiny island", "the island"),
    ("under an old stone bridge", "the bridge"),
    ("behind the baker's shop", "the shop"),
    ("in a town with crooked roofs", "the town"),
    ("at the end of a long road", "the road"),
    ("in a valley full of flowers", "the valley"),
    ("by the grey sea", "the sea"),
    ("in the middle of a wide desert", "the desert"),
    ("near a deep blue lake", "the lake"),
    ("in a garden behind a high wall", "the garden"),
    ("at the top of a tall tower", "the tower"),
    ("below the snowy mountains", "the mountains"),
    ("in a busy harbour", "the harbour"),
    ("next to a market square", "the square"),
    ("in a field of tall grass", "the field"),
    ("in an orchard of apple trees", "the orchard"),
    ("at the bottom of a green well", "the well"),
    ("in a house with a red door", "the house"),
    ("beyond the last railway station", "the station"),
    ("in a city of a thousand lamps", "the city"),
    ("on the far side of the moon", "the moon"),
    ("in a library with no end", "the library"),
    ("under the roof of an empty theatre", "the theatre"),
    ("between two sleeping hills", "the hills"),
    ("at the back of a toy shop", "the shop"),
    ("in a castle with a hundred stairs", "the castle"),
)
WEATHERS = (
    "misty", "snowy", "windy", "rainy", "golden", "frosty", "stormy", "sunny", "cloudy", "moonlit", "cold", "warm",
)
TIMES = ("morning", "evening", "night", "afternoon", "day")
SEASONS = ("spring", "summer", "autumn", "winter")
OLDEN = (
    "the stars were young", "the mountains could still talk", "every door had a secret",
    "letters were carried by birds", "nobody had invented clocks", "wishes still worked",
    "the moon came closer at night", "winter lasted half the year", "the sea was still sweet",
    "trees walked about at night",
)
FRIENDS = (
    "mouse", "owl", "crow", "robin", "frog", "beetle", "cat", "goat", "spider", "mole", "badger", "goose", "heron",
    "child", "postman", "shepherd", "wizard", "baker", "grandmother", "fisherman", "giant", "ghost", "robot", "tailor",
)
MANNERS = (
    "small", "wise", "friendly", "curious", "very old", "cheerful", "sleepy", "polite", "clever", "kind", "shy",
    "round", "tall", "quiet",
)
FOODS = (
    "warm bread", "apple cake", "hot soup", "honey on toast", "plum jam", "cheese and pears", "sweet tea", "berry pie",
)
TREASURES = (
    "silver bell", "red scarf", "old map", "little drum", "favourite song", "golden button", "tiny lamp", "blue kite",
    "lucky stone", "green hat", "music box", "secret name", "brass key", "paper crown", "woolly glove",
)
GIRLS = (
    "Mira", "Nell", "Ada", "Lila", "Juno", "Elsie", "Tilda", "Ivy", "Nora", "Maud", "Greta", "Poppy", "Bea", "Wren",
)
BOYS = (
    "Tomas", "Bruno", "Otto", "Finn", "Oskar", "Hugo", "Milo", "Rufus", "Jasper", "Felix", "Theo", "Silas", "Anton",
    "Pip",
)
NAMES = GIRLS + BOYS
TITLES = ("Captain", "King", "Queen", "Doctor", "Aunt", "Uncle", "Lady", "Old", "Little", "Sir")
