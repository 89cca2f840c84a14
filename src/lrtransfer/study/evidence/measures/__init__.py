"""Enter by `transfer.drift`: measures of claims by subject, each a function under `@measure`."""
