"""What the machine sees of each line of a source, as data and as a page of HTML."""
