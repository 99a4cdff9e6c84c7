"""The figures of the reports, drawn from results by matplotlib, which is loaded only then."""
