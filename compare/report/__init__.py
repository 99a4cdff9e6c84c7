"""The reports: experiments that run both frameworks, and pages rendered from their results."""
