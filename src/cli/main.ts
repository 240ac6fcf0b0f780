#!/usr/bin/env node
/** The command `tsgun`. */
