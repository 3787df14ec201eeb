AUTHOR = 'Ada Lovelace'
SITENAME = "Field Notes: it's ours"
SITEURL = 'https://example.org/blog'
PATH = "content"
TIMEZONE = 'Europe/Berlin'
DEFAULT_LANG = 'en'
ARTICLE_URL = 'posts/{date:%Y}/{date:%m}/{slug}/'
ARTICLE_SAVE_AS = 'posts/{date:%Y}/{date:%m}/{slug}/index.html'
ARTICLE_LANG_URL = 'posts/{lang}/{slug}/'
ARTICLE_LANG_SAVE_AS = 'posts/{lang}/{slug}/index.html'
DEFAULT_CATEGORY = 'misc'
FILENAME_METADATA = r'(?P<date>\d{4}-\d{2}-\d{2}).*'
STATIC_PATHS = ['images']
DELETE_OUTPUT_DIRECTORY = False
MARKDOWN = {
    'extension_configs': {
        'markdown.extensions.codehilite': {'css_class': 'highlight'},
        'markdown.extensions.extra': {},
        'markdown.extensions.meta': {},
        'markdown.extensions.toc': {},
    },
    'output_format': 'html5',
}
