"""The page of recipes for porting."""
