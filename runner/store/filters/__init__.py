"""The language of filters, orders and lists of columns: parsers and trees, without any knowledge of databases."""
