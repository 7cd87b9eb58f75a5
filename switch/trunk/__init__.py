"""Carriers: recognition, registration, health, number formats."""
