"""`align`: finds how a result is moved against its original, and puts it right.

registration    how two pictures are moved against each other, and whether that can be trusted; from
tile_votes      the movement that most tiles agree on,
subpixel        the same to a fraction of a pixel, and
certainty       how large its error may be, and whether another movement explains the pictures as well
result          a result in line with its original, and what was measured
notices         what the user is told about it
"""
