"""Reviewing what runs obtained, without running them again. Nothing here prints."""
