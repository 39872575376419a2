"""Tools for data sets in folders: dealing clips to splits without leaks, and finding what is wrong with them."""
