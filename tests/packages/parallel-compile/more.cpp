long more(void) { return 1; }
