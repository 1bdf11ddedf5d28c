"""At which rounds a run asks whether it may end, and how sure each interval must be for that.

Whoever looks several times, and stops at the first answer, has several chances to be wrong. So each look has a
stricter level than a single one: with Pocock's constant all looks together are wrong as seldom as one look at 95 %.
Pocock, Biometrika 64 (1977): for eight equally spaced looks each asks for 2.512 standard deviations, which is 0.60 %
at each end of the interval.
A constant that starts strict and gets mild (O'Brien and Fleming, 1979) detects a little more with the same last look,
but takes more rounds on average. A look itself costs no time.
"""

from bench.core.header import Looks

UNTIL_DECIDED = Looks(rounds=(8, 10, 12, 16, 20, 24, 28, 32), error=0.006)
"""Eight rounds are the fewest that give a verdict at this error (analyse/stats.py).

32 detect a change of 5 % in nine runs of ten if trials vary by 2 % (benchmarks/looks.py).
"""
