"""Who is who: digest challenge and verdict, nonces, lock-out of guessing."""
