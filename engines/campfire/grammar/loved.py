"""Stories of a child who loves the topic: snow, dragons, music."""

OPENINGS = (
    "Once upon a time there was a {child} called {hero} who loved {topic}.",
    "{hero} lived {place} and thought about {topic} all day long.",
    "Long ago, {place}, a {child} named {hero} dreamed of {topic}.",
    "There was once a {child} called {hero} who knew everything about {topic}.",
    "In the days when {olden}, {hero} was the only {child} {place} who believed in {topic}.",
    "Nobody {place} cared about {topic}, except a {child} named {hero}.",
    "This is the story of {hero}, a {child} who was afraid of {topic}.",
    "One {weather} {time}, {place}, a {child} named {hero} first heard of {topic}.",
)
HABITS = (
    "{hero} had a whole book about {topic}, and {she} read it every {time}.",
    "{She} drew pictures of {topic} on every wall.",
    "Every {time} {she} sang a little song about {topic}.",
    '"There is nothing in the world like {topic}," {hero} used to say.',
    "{hero} talked about {topic} so much that even the cat fell asleep.",
    "At school, {hero} wrote long letters about {topic}.",
    "{She} kept a box for {topic} under the bed.",
)
TROUBLES = (
    "But one {later}, {trouble}, and {hero} could not think of {topic} any more.",
    "{hero} set out to find {topic}, but {trouble}.",
    "One day {she} went to look for {topic}, but {trouble}.",
    '"You will never find {topic} here," said the people, for {trouble}.',
    "Then came {a_season} without {topic}, and {trouble}.",
    "{hero} wanted to show {topic} to the whole world, but {trouble}.",
)
MEETINGS = (
    "Just then {a_friend} called {name} came by and asked about {topic}.",
    "On the way, {she} met {a_friend} called {name}.",
    "Behind {spot}, {hero} found {a_friend} whose name was {name}.",
    "Luckily, {name} was near, {a_friend} who also loved {topic}.",
    "That {time}, {a_friend} named {name} knocked and asked for some {food}.",
)
TALKS = (
    '"I know where to look for {topic}," said {name}.',
    '"Do not give up," said {name}. "I will help you."',
    "They shared some {food} and talked about {topic}.",
    '"Tell me more about {topic}," said the {friend}, and {hero} did.',
    '{name} looked at {hero} and said, "I have an idea."',
)
FIXES = (
    "Together, {hero} and {name} {fix}.",
    "So {hero} and the {friend} {fix}.",
    "It took all {time}, but {hero} and {name} {fix}.",
    "Step by step, {hero} and the {friend} {fix}.",
)
WONDERS = (
    "And there, behind {spot}, was the secret of {topic}.",
    "And at last {hero} understood {topic}.",
    "That {time}, everyone came to {spot} to celebrate {topic}.",
    "Soon the whole town was talking about {topic}.",
    "By the end of the {season}, even the old king loved {topic}.",
)
MIDDLE = (HABITS, TROUBLES, MEETINGS, TALKS, FIXES, WONDERS)
ENDINGS = (
    "From that day on, {hero} and {name} told everyone about {topic}.",
    "And {hero} still dreams of {topic} every {time}.",
    "Since then, there is a feast for {topic} every {season}.",
    "And if you go to {spot} today, ask {hero} about {topic}.",
    "{hero} went home, ate some {food}, and slept well.",
    "And {she} lived happily ever after, with {topic} and {name}.",
)
