"""The language of filters, orders and lists of columns: parsers and trees, which do not depend on the database."""
