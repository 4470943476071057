<?php

declare(strict_types=1);

require __DIR__ . '/../vendor/autoload.php';

echo (new App\Page(getenv('GREETING') ?: 'Hello from PHP'))->render($_SERVER['REQUEST_URI']);
