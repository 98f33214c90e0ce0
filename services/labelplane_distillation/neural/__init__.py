"""Neural teachers and students. Every module here imports torch; nothing outside imports it before an encoder needs it."""
