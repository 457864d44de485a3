"""The tab Colorize: one photograph, its result, and everything that can be done with that."""
