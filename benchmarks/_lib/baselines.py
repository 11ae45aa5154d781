"""Names of the baselines, the same in every table."""

NO_ALIGNMENT = "no alignment"
STRAIGHT = "text fed straight in"
ENGLISH_ROWS = "English test rows"
