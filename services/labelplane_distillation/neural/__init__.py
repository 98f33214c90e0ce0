"""Neural teachers and students. Every module here imports torch; nothing outside does before an encoder needs it."""
