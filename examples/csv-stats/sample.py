"""Writes a table to try things with: `python3 sample.py 100000 > sample.csv`."""

import random
import sys

rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
chance = random.Random(7)
print("id,city,height_cm,income,note")
for number in range(rows):
    city = chance.choice(["Lisbon", "Turku", "Graz", "Cork", "Ghent"])
    height = chance.gauss(171, 9)
    income = f"{chance.lognormvariate(10, 0.5):.2f}" if chance.random() > 0.1 else ""
    note = '"said ""hello"", then left"' if number % 3 == 0 else "nothing"
    print(f"{number},{city},{height:.1f},{income},{note}")
