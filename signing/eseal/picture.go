package eseal

import (
	"bytes"
	"context"
	"fmt"
	"image"

	// The two forms of a picture. A drawing that is a program (SVG) is none of them.
	_ "image/jpeg"
	_ "image/png"
)

// Limits of a picture.
const (
	// MaxPicture is in bytes.
	MaxPicture = 256 << 10
	maxPixels  = 2048
)

// checkPicture returns the media type of a picture by its own bytes.
func checkPicture(b []byte) (string, error) {
	if len(b) > MaxPicture {
		return "", fmt.Errorf("%w: the picture is larger than %d KiB", ErrInvalid, MaxPicture>>10)
	}
	var mediaType, format string
	switch {
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")):
		mediaType, format = "image/png", "png"
	case bytes.HasPrefix(b, []byte("\xff\xd8\xff")):
		mediaType, format = "image/jpeg", "jpeg"
	default:
		return "", fmt.Errorf("%w: the picture must be PNG or JPEG", ErrInvalid)
	}
	c, found, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil || found != format {
		return "", fmt.Errorf("%w: the picture can't be read as %s", ErrInvalid, mediaType)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > maxPixels || c.Height > maxPixels {
		return "", fmt.Errorf("%w: the picture has %d x %d points; %d x %d is the most", ErrInvalid, c.Width, c.Height, maxPixels, maxPixels)
	}
	return mediaType, nil
}

// Picture returns the picture of a seal that was issued. ErrNotFound, also for one that is only proposed.
func (s *Service) Picture(ctx context.Context, id string) (StoredPicture, error) {
	if !sealIDForm.MatchString(id) {
		return StoredPicture{}, ErrNotFound
	}
	if _, err := s.cfg.Store.Get(ctx, id); err != nil {
		return StoredPicture{}, err
	}
	return s.cfg.Store.Picture(ctx, id)
}
