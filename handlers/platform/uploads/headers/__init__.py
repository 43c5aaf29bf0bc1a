"""What a picture's own header says of it, read by plain code before any decoder sees the file."""
