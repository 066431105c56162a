// Package config reads the settings: defaults, then the file, then the environment, then checks
// them all and reports every mistake together, each with its path and what was expected. Only
// internal/app imports it; everyone else is handed values.
package config
