<?php

declare(strict_types=1);

namespace App;

final class Page
{
    public function __construct(private string $greeting)
    {
    }

    public function render(string $path): string
    {
        return sprintf(
            "<!doctype html>\n<title>php-web</title>\n<link rel=stylesheet href=/style.css>\n<h1>%s</h1>\n<p>%s, PHP %s</p>\n",
            htmlspecialchars($this->greeting),
            htmlspecialchars($path),
            PHP_VERSION
        );
    }
}
