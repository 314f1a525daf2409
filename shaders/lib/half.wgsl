// Lets the shader that follows keep elements in memory as f16, where its aliases say so. Must come first.
enable f16;
