"""The command line: results on stdout, progress on stderr, one sentence for an error."""
