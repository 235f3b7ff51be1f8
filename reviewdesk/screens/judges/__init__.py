"""The Judges pages of the Golden screen: rubrics, how well they were measured, what they say."""
