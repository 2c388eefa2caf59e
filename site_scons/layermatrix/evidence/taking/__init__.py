"""Take evidence by running programs, here or on another host.

Each module has a request, the function that turns it into a record, and a `hosted.Hosted` with the name
HOSTED. A bundle carries these modules with everything that they import, so they may use only the standard
library. The modules of the kinds (`evidence.tests` and so on) compute the requests and judge the records.
"""
