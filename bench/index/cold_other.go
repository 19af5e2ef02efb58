//go:build !linux

package main

import "errors"

func drop([]string) (float64, error) { return 0, errors.ErrUnsupported }
