/** The leaf, in the colour of the theme's icons. */
import { LabIcon } from '@jupyterlab/ui-components';

const LEAF = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" width="16">
  <path class="jp-icon3" fill="#616161" d="M13.6 1.9C8.4 1.6 4.6 2.9 3.2 6c-.9 2-.6 4.1.5 5.7-.6.8-1 1.7-1.2 2.7l1.3.2
    c.2-.8.5-1.6 1-2.3 1.7 1 3.9 1.1 5.8-.1 3-1.9 3.8-5.700 3-10.300zM5.700 11.100C7 9.400 8.700 7.900 10.900 6.700
    l-.6-1.100C8 6.900 6.200 8.500 4.700 10.300 4.200 9.200 4.100 7.900 4.600 6.700 5.500 4.500 8.200 3.400 12.500 3.400
    c.4 3.600-.4 6.400-2.500 7.600-1.400.9-3 .8-4.300.100z"/>
</svg>`;

export const leafIcon = new LabIcon({ name: 'carbon-magic:leaf', svgstr: LEAF });
