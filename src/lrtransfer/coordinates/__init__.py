"""Enter by `coordinate_check.coordinate_check`: do coordinates of any model keep their size?"""
