"""At which rounds a run asks whether it may end, and how sure each interval must be for that.

Whoever looks several times, and stops at the first answer, has several chances to be wrong. So each look has a
stricter level than a single one: with Pocock's constant all looks together are wrong as seldom as one look at 95 %.
Pocock, Biometrika 64 (1977): for eight equally spaced looks each asks for 2.512 standard deviations, which is 0.60 %
at each end of the interval. These eight looks lie closer together than that, and 2.48 would do (0.65 %).
A constant that starts strict and gets mild (O'Brien and Fleming, 1979) detects a little more with the same last look,
but takes more rounds on average. A look itself costs no time.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """The rounds after which a run looks at its verdicts, and the error that its intervals allow."""

    rounds: tuple[int, ...]
    """Numbers of complete rounds, ascending. The run ends at the last one in any case."""
    error: float
    """The chance that one given end of an interval lies on the wrong side of the truth, at any one look.

    An interval's level is 1 - 2 * error. This error comes from the plan alone, so it holds for every interval of the
    run, at a look or not. A run whose budget ends between two looks keeps it: its last look only moves closer to the
    one before, and a look that is more like the one before adds less error. A look after the last one, as a resumed
    run may take, is not paid for: the plan's looks together err in 2.3 % of runs at each end, and one more at 32
    rounds makes it 2.4 %, three more up to 40 rounds 2.7 %.
    """

    def next_after(self, complete: int) -> int | None:
        """The first look that needs more rounds than are complete; None after the last."""
        return next((rounds for rounds in self.rounds if rounds > complete), None)


UNTIL_DECIDED = Looks(rounds=(6, 8, 10, 12, 16, 20, 24, 28), error=0.006)
"""Six rounds are the fewest that give a verdict.

28 detect a change of 5 % in nine runs of ten if trials vary by 2 % (benchmarks/looks.py).
"""


def fixed(rounds: int) -> Looks:
    """One look, after a number of rounds that was given beforehand: an interval of 95 %."""
    return Looks(rounds=(rounds,), error=0.025)
