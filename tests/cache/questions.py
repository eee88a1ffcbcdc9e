"""Pairs of questions: asked in other words, and so alike that an embedding hardly tells them apart."""

from __future__ import annotations

from typing import Final

SAME: Final = (
    ("How do I reset my password?", "How can I reset my password?"),
    ("What is the capital of France?", "What's the capital of France?"),
    ("What is the capital of France?", "What is the capital city of France?"),
    ("How do I sort a list in Python?", "How to sort a list in python"),
    ("Write a haiku about autumn.", "Write a haiku on autumn."),
    ("What is 15% of 80?", "How much is 15% of 80?"),
    ("How many planets are in the solar system?", "How many planets are there in the solar system?"),
    ("Can I cancel my subscription?", "Is it possible to cancel my subscription?"),
    ("Which vitamins are in an orange?", "What vitamins are in an orange?"),
    ("How do vaccines work?", "Explain how vaccines work"),
    ("Translate 'good morning' to Spanish.", "Translate 'good morning' into Spanish."),
    ("How long does shipping take?", "How long will shipping take?"),
)

OTHER: Final = (
    ("Who is taller, Tom or Anna? Tom is 180 cm, Anna 175.", "Who is taller, Tom or Anna? Tom is 175 cm, Anna 180."),
    ("Is it safe to mix bleach and vinegar?", "Is it not safe to mix bleach and vinegar?"),
    ("Translate this from English to French.", "Translate this from French to English."),
    ("How do I convert celsius to fahrenheit?", "How can I convert fahrenheit to celsius?"),
    ("Is Python faster than Java?", "Is Java faster than Python?"),
    ("What is 7 minus 3?", "What is 3 minus 7?"),
    ("Convert 10 km to miles.", "Convert 10 miles to km."),
    ("Is it always legal to record calls?", "Is it ever legal to record calls?"),
    ("Can I take ibuprofen with alcohol?", "Can't I take ibuprofen with alcohol?"),
    ("Summarize the first chapter of Moby Dick.", "Summarize the second chapter of Moby Dick."),
    ("List 5 facts about whales.", "List 10 facts about whales."),
    ("List five facts about whales.", "List ten facts about whales."),
    ("Is there a refund?", "Is there no refund?"),
    ("Sort the list in ascending order.", "Sort the list in descending order."),
    ("My son is 3 and has a fever. What should I do?", "My son is 13 and has a fever. What should I do?"),
    ("Is it legal to drive barefoot?", "Is it illegal to drive barefoot?"),
    ("Do I have to pay tax on gifts I give?", "Do I have to pay tax on gifts I get?"),
    ("Find flights to Paris.", "Find flights from Paris."),
    ("Solve x + 3 = 7.", "Solve x + 7 = 3."),
    ("What is 2 + 2?", "What is 2 - 2?"),
    ("Is my data deleted after 7 days?", "Is my data deleted after 7 weeks?"),
    ("My order has arrived. What now?", "My order has not arrived. What now?"),
    ("Explain the plot of Hamlet with spoilers.", "Explain the plot of Hamlet, no spoilers."),
    ("Which is bigger, the sun or the moon?", "Which is smaller, the sun or the moon?"),
)
