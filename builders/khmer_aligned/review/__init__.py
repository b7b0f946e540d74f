"""A local web application in which a person listens to a build and corrects it."""
