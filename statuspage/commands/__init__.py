"""One file a noun: thin, the same verbs as the console."""
