; data of the package, and no source of any extension
