process.on("sveltekit:shutdown", (reason) => console.log(`shutdown hook of SvelteKit: ${reason}`));
