"""Stories whose hero is the topic itself: a fox, a lighthouse, the moon, Mira."""

OPENINGS = (
    "Once upon a time, {place}, there lived {a}.",
    "Once upon a time there was {a} who lived {place}.",
    "Long ago, when {olden}, there was {a}.",
    "Far away, {place}, there was once {a} that nobody had noticed.",
    "There was once {a} with a very big dream.",
    "There once was {a}, and the whole story begins {place}.",
    "In the days when {olden}, {a} lived {place}.",
    "One {weather} {time}, {a} woke up {place}.",
    "If you had walked past {spot} that {weather} {time}, you would have met {a}.",
    "Not so long ago, {a} lived all alone {place}.",
    "Have you heard of {a} that lived {place}?",
    "It was a {weather} {time} when {a} first came to {spot}.",
)
KNOWN_OPENINGS = (
    "One {weather} {time}, {a} woke up {place}.",
    "This is the story of {a}, and it begins {place}.",
    "Everyone {place} had heard of {a}.",
    "In the days when {olden}, {a} lived {place}.",
    "Nobody {place} knew that {a} had a secret.",
    "Long ago, {place}, lived {a}.",
    "Once upon a time, when {olden}, {a} came to {spot}.",
    "It was a {weather} {time} when {a} first came to {spot}.",
)
WISHES = (
    "More than anything, {hero} wanted to {wish}.",
    "Every {time}, {hero} dreamed of one thing: to {wish}.",
    "{hero} had only one wish, and that was to {wish}.",
    '"If only I could {wish}," sighed {hero}.',
    "The neighbours laughed, but {hero} had decided to {wish}.",
    "In {its} heart, {hero} longed to {wish}.",
    "Then, all at once, {hero} made up {its} mind to {wish}.",
    '"One day I will {wish}," said {hero} to the stars.',
    "Nobody believed that {hero} could ever {wish}.",
)
TROUBLES = (
    "But {trouble}, and {hero} did not know what to do.",
    "There was only one problem: {trouble}.",
    "So {hero} set out at once, but {trouble}.",
    "Sadly, {trouble}, and {hero} sat down and cried a little.",
    "It was not easy, because {trouble}.",
    "{hero} tried three times, but {trouble}.",
    "Then came a {later}, and {trouble}.",
    "{hero} packed some {food} and left, but {trouble}.",
    "And what did {hero} find on the way? Alas, {trouble}.",
)
MEETINGS = (
    "Just then {a_friend} called {name} came by.",
    "On the way, {hero} met {a_friend} called {name}.",
    "That {time}, {a_friend} named {name} knocked and asked for some {food}.",
    "Luckily, {name} was near, {a_friend} who knew a lot of things.",
    "Behind {spot}, {hero} found {a_friend} whose name was {name}.",
    "Then {hero} heard a voice, and it was {name}, {a_friend}.",
    "But {hero} was not alone, for {a_friend} named {name} had seen everything.",
)
TALKS = (
    '"Do not give up," said {name}. "I will help you."',
    '"Why are you so sad?" asked {name}, and {hero} told the whole story.',
    '"I have never met anyone like you," said {name} to {hero}.',
    '"Two are stronger than one," said the {friend}, and {hero} nodded.',
    "They shared some {food}, and {hero} felt brave again.",
    '{name} looked at {hero} for a long time and said, "I have an idea."',
    '"Please stay with me," said {hero}, and {name} stayed.',
    "{name} gave {hero} some {food} and a warm smile.",
    '"Every story needs two," said the {friend} with a smile.',
)
FIXES = (
    "Together, {hero} and {name} {fix}.",
    "So {hero} and the {friend} {fix}.",
    "It took all {time}, but {hero} and {name} {fix}.",
    "With a little luck and a lot of laughter, {hero} and {name} {fix}.",
    "{hero} counted to ten, and then the two of them {fix}.",
    "Step by step, {hero} and the {friend} {fix}.",
    "{name} whistled, {hero} sang, and together they {fix}.",
)
WONDERS = (
    "And at last {hero} {wished}.",
    "By the end of the {season}, {hero} {wished}.",
    "That very {time}, {hero} {wished}, and everyone cheered.",
    "And so it happened that {hero} {wished}.",
    "When the {later} was over, {hero} {wished}.",
    "Would you believe it: {hero} {wished}!",
    "After that, {hero} {wished}, just like that.",
)
MIDDLE = (WISHES, TROUBLES, MEETINGS, TALKS, FIXES, WONDERS)
ENDINGS = (
    "From that day on, {hero} and {name} were the best of friends.",
    "And if you go to {spot} today, you may still meet {hero}.",
    "{hero} came home to {spot}, tired and happy, and slept until {season}.",
    "And {hero} never felt lonely again.",
    "To this day, people near {spot} tell the story of {hero}.",
    "Then {hero} and {name} ate {food} and watched the stars come out.",
    "And {hero} lived happily ever after.",
    "Since then, {hero} leaves a light on for anyone who is lost.",
    '"What shall we do tomorrow?" asked {hero}, and {name} laughed.',
    "And every {season}, {hero} and the {friend} meet at {spot} and remember.",
)
