"""What a model makes of words: captions beside no prompt, and one color word in place of another."""
