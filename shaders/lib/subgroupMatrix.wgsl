// Lets the shader that follows multiply matrices with a whole subgroup. An experiment of Chromium's: behind a flag there,
// behind the toggle allow_unsafe_apis in Node. Must come first.
enable chromium_experimental_subgroup_matrix;
enable subgroups;
