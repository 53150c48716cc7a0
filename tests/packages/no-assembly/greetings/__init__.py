WORDS = "hello"
