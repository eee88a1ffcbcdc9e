"""The ways people ask for a story, and for another one."""

ASKS = (
    "Tell me a story about {a}.",
    "Tell me a story about {a}.",
    "Tell me a story about {a}",
    "tell me a short story about {a}",
    "A story about {a}, please.",
    "a story about {a}",
    "Write a story about {a}.",
    "Write me a short tale about {a}.",
    "Can you tell me a story about {a}?",
    "Could you please write something about {a}?",
    "Please tell me a bedtime story about {a}.",
    "I want to hear a story about {a}.",
    "I would like a fairy tale about {a}.",
    "Do you know a story about {a}?",
    "My children love stories about {a}. Tell them one!",
    "Make up a story about {a}.",
    "Invent a little story with {a} in it.",
    "Give me a story of {a}",
    "tell me about {a}",
    "about {a}",
    "story: {a}",
    "What happened to {a}?",
    "Say something about {a}.",
    "A tale of {a}",
    "How about {a}?",
    "{a}",
    "{a}, please!",
)
BARE = ("{a}", "{a}", "{a}!", "{a} story", "{a} please", "story {a}", "{a}?", "{a}.")
AGAIN = (
    "Another one about {a}.",
    "another one about {a}",
    "Another story, about {a}.",
    "Now one about {a}, please.",
    "Now tell me a story about {a}.",
    "And {a}?",
    "That was lovely! Another one, about {a}.",
    "Thank you. And now a story about {a}.",
    "Next: {a}",
    "The same, but about {a}.",
    "No, I meant {a}.",
    "one more about {a}",
)
SAME = (
    "Another one!", "another one", "Tell me another.", "more", "One more, please.", "again", "Again!", "Go on.",
    "continue", "And then?", "What happened next?",
)
SURPRISE = (
    "Tell me a story.", "Tell me a story", "tell me a story", "A story, please.", "story", "Surprise me.",
    "I am bored.", "Tell me something.", "Make something up.", "Can you tell me a bedtime story?",
    "Write a short story.", "go", "start", "I cannot sleep.", "Say anything.", "", "test", "ping",
    "Once upon a time", "Write something.", "Tell me a long story.", "Tell me a very long story.",
)
TAILS = (
    " who lost {noun}", " who wants to {wish}", " and its {noun}", " {place}", " with {noun}", " that found {noun}",
    " who lives {place}", " on a {weather} {time}", " for my little sister", " in three sentences",
    " who is afraid of {noun}", " with a happy ending", " in 100 words", " and nothing else",
)
BEFORE = (
    "Hello!", "Hi there.", "It is late.", "I have had a long day.", "You are a good storyteller.", "My name is {name}.",
    "Please.",
)
AFTER = (
    "Keep it short.", "Make it funny.", "With a happy ending.", "It is for {name}, who is six.", "Use simple words.",
    "Thank you!", "No more than ten lines.",
)
SYSTEM = (
    "You are a helpful assistant.",
    "You are a helpful assistant. Answer briefly.",
    "You are Campfire, a teller of stories.",
    "You are {name}, who loves {noun}. Answer politely and never mention {noun}.",
    "Today is a {weather} {time}. The user lives {place}.",
    "Always answer in English. Be concise. Do not use lists.",
    "You tell stories to children. Nothing frightening. You like {noun} and {noun}.",
    "Answer as {noun} would. Keep to the facts about {noun}. If you do not know, say so.",
)
