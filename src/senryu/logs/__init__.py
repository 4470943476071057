"""The log room: takes what dynos, router and platform say into one ordered stream per app, and gives it to readers."""
