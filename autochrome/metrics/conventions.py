"""What each number means, in one line: window, color space, and whether it is per picture or of the set."""

_PER_PICTURE = "per picture, then averaged"

CONVENTIONS: dict[str, str] = {
    "psnr": f"dB, sRGB in 0..1, squared error over all pixels and 3 channels, 100 where identical; {_PER_PICTURE}",
    "ssim": "Gaussian window 11 x 11, sigma 1.5, population variance, inside the picture only, mean of the R, G and B "
    f"maps of sRGB; {_PER_PICTURE}",
    "ciede2000": f"mean over pixels, float CIELAB (D65, 2 degrees), kL = kC = kH = 1; {_PER_PICTURE}",
    "ciede2000_above_10": f"share of pixels whose CIEDE2000 is above 10; {_PER_PICTURE}",
    "colorfulness": "Hasler and Suesstrunk 2003, M(3), signed opponent channels, sRGB in 0..255, population variance, "
    f"no reference; {_PER_PICTURE}",
    "colorfulness_abs": "the same of absolute opponent channels, as in the tables of DDColor, CT2 and ColorFormer; "
    f"{_PER_PICTURE}",
    "delta_colorfulness": f"colorfulness minus the reference's, with its sign; {_PER_PICTURE}",
    "delta_colorfulness_of_means": "absolute difference of the mean colorfulness of both sets, as papers print it",
    "lightness_error": f"mean absolute difference of L* (CIELAB, D65, 0..100) over pixels; {_PER_PICTURE}",
    "color_bleeding": "share of the change of a*b* (Sobel, CIELAB) where the reference's L* changes by less than 4 a "
    f"pixel in 3 x 3 pixels, minus the reference's own share; -1..1, identical 0; {_PER_PICTURE}",
    "hue_histogram_distance": "circular earth mover's distance in degrees (0..180) of histograms of CIELAB hue, 72 "
    f"bins, weighted with chroma where it is at least 2, each of sum 1, colorless even; {_PER_PICTURE}",
    "frechet_mobilenet_v2": "Frechet distance of Gaussians, of the set: pictures resized to 224 x 224 (bilinear, "
    "antialiased), MobileNetV2 1.0 (ImageNet), last bottleneck (320 channels), mean over places; not an FID",
    "lpips": f"LPIPS 0.1 on AlexNet, package lpips, sRGB scaled to [-1, 1], full size; {_PER_PICTURE}",
    "fid": "Frechet inception distance, of the set: torchmetrics, torch-fidelity's InceptionV3, 2,048 features, "
    "pictures resized to 299 x 299 by it; a biased estimate below some 2,048 pictures",
}
"""Every number of single pictures and of sets by its name."""
