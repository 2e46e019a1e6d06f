"""``ddeal doctor``: is everything there that the program needs, and does it work?

Modules here import nothing heavy at their top: a library that cannot be imported is what this
package is to find.
"""
