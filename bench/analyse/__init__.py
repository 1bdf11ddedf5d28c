"""From the files of a run to tables, figures and a report, without torch."""

import pandas as pd

# With pyarrow installed pandas would keep texts in its memory, which can't hold what a damaged name of a file may have.
pd.set_option("mode.string_storage", "python")
