"""A believable small world, made through the same doors that people use."""
from server.app import App


async def fill(app: App) -> str:
    return ""
